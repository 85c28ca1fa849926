"""The main job from a user's chair: brief, approvals, film. Talks to the system over HTTP alone."""
