"""What is kept about an uploaded file."""

from django.conf import settings
from django.db import models


class Upload(models.Model):
    title = models.CharField(max_length=200)
    file = models.FileField(upload_to="%Y/%m")
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, editable=False, null=True)
    uploaded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-uploaded_at", "-pk"]

    def __str__(self):
        return self.title
