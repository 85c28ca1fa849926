from .artifact import Artifact, ProviderJob
from .project import Project, ProjectSocial, Social
from .run import Approval, Run, RunEvent, Step

__all__ = ["Approval", "Artifact", "Project", "ProjectSocial", "ProviderJob", "Run", "RunEvent", "Social", "Step"]
