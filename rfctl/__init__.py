"""rfctl: control and logging service for radiofrequency lesion generators."""

__version__ = "0.1.0"
