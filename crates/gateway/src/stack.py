# Where a thread is: sets "text" from "ident". Runs in the interpreter whose frames it shows.
import sys

frame = sys._current_frames().get(ident)
lines = []
while frame is not None:
    before = "called from" if lines else "Thread %d executing" % ident
    code = frame.f_code
    lines.append('%s file "%s", line %s, in %s' % (before, code.co_filename, frame.f_lineno, code.co_name))
    frame = frame.f_back
text = "\n".join(lines)
frame = None
