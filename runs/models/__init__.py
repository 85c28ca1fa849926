from .artifact import Artifact, ProviderJob
from .money import Spend
from .outbox import Outbox
from .project import Project, ProjectSocial, Social
from .run import Approval, Run, RunEvent, Step

__all__ = [
    "Approval",
    "Artifact",
    "Outbox",
    "Project",
    "ProjectSocial",
    "ProviderJob",
    "Run",
    "RunEvent",
    "Social",
    "Spend",
    "Step",
]
