"""MyloWare: a crew of AI agents that makes short videos, from a sentence to a published film."""
