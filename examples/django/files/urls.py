"""Paths of the files application."""

from django.urls import path

from . import views

urlpatterns = [
    path("", views.index, name="index"),
    path("upload/", views.upload, name="upload"),
    path("files/<int:pk>/", views.download, name="download"),
    path("files/<int:pk>/stream/", views.stream, name="stream"),
]
