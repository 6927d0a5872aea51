"""The pages: a list, an upload form, and two ways of sending a file."""

from pathlib import PurePath

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import FileResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_safe

from .forms import UploadForm
from .models import Upload


@require_safe
def index(request):
    """The list of files, and how often this browser's session was here."""
    visits = request.session["visits"] = request.session.get("visits", 0) + 1
    return render(request, "files/index.html", {"uploads": Upload.objects.select_related("uploaded_by"), "visits": visits})


@login_required
def upload(request):
    """The form; a valid one becomes a file in the list."""
    form = UploadForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        form.instance.uploaded_by = request.user
        saved = form.save()
        messages.success(request, f"“{saved.title}” was uploaded.")
        return redirect("index")
    return render(request, "files/upload.html", {"form": form})


@require_safe
def download(request, pk):
    """The file as a whole: Django hands it to the server's wsgi.file_wrapper."""
    file = get_object_or_404(Upload, pk=pk).file
    return FileResponse(file.open("rb"), as_attachment=True, filename=PurePath(file.name).name)


@require_safe
def stream(request, pk):
    """The file piece by piece, as an application sends what it computes; the length is not told before."""
    file = get_object_or_404(Upload, pk=pk).file

    def pieces():
        with file.open("rb") as opened:
            yield from opened.chunks(16 * 1024)

    return StreamingHttpResponse(pieces(), content_type="application/octet-stream")
