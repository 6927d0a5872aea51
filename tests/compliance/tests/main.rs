//! What PEP 3333 and the reference say. `SERVER_UNDER_TEST=mod_wsgi` points the whole suite at mod_wsgi.

mod smoke;
