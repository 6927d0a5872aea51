//! The program `wsgi-supervisor`.

fn main() {}
