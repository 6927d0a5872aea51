//! The configuration as httpd has read it: directives of all modules in their order, with what stands inside of sections. Included
//! files are in their place, and conditions on modules and defines are decided already.

use crate::hook::Parent;
use crate::server::Server;
use crate::text;
use httpd_sys as sys;
use std::marker::PhantomData;

/// One directive or section, alive for `'a`.
#[derive(Clone, Copy)]
pub struct Written<'a> {
    raw: &'a sys::ap_directive_t,
}

impl<'a> Written<'a> {
    /// The name as the file has it, in any case; of a section with the `<` in front.
    pub fn name(self) -> &'a [u8] {
        // SAFETY: text of the configuration's pool, which lives for 'a (see `Parent::written`).
        unsafe { text::bytes(self.raw.directive) }.unwrap_or_default()
    }

    /// Its arguments as the file has them, quotes included; of a section without the `>`.
    pub fn arguments(self) -> &'a [u8] {
        // SAFETY: as in `name`.
        let arguments = unsafe { text::bytes(self.raw.args) }.unwrap_or_default();
        if self.name().starts_with(b"<") {
            arguments.strip_suffix(b">").unwrap_or(arguments)
        } else {
            arguments
        }
    }

    /// The directives inside of this section.
    pub fn inside(self) -> Directives<'a> {
        Directives { next: self.raw.first_child, life: PhantomData }
    }

    /// Whether this is the `<VirtualHost>` that made the server.
    pub fn made(self, server: &Server<'_>) -> bool {
        // SAFETY: as in `name`.
        let place = unsafe { text::bytes(self.raw.filename) };
        server
            .place()
            .is_some_and(|(file, line)| place == Some(file) && u32::try_from(self.raw.line_num) == Ok(line))
    }
}

/// Directives that stand next to each other.
pub struct Directives<'a> {
    next: *const sys::ap_directive_t,
    life: PhantomData<&'a sys::ap_directive_t>,
}

impl<'a> Iterator for Directives<'a> {
    type Item = Written<'a>;

    fn next(&mut self) -> Option<Written<'a>> {
        // SAFETY: httpd's own list, which lives for 'a and is not changed meanwhile (see `Parent::written`).
        let raw = unsafe { self.next.as_ref() }?;
        self.next = raw.next;
        Some(Written { raw })
    }
}

impl<'a> Parent<'a> {
    /// The directives at the level of the main server; virtual hosts are sections among them.
    pub fn written(&self) -> Directives<'a> {
        // SAFETY: the parent's only thread; httpd makes the tree with the configuration, in the same pool, and replaces it
        // only when the next one is read.
        Directives { next: unsafe { sys::ap_conftree }, life: PhantomData }
    }
}
