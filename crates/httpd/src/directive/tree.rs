//! Directives as lines of the configuration, with what stands inside of them. Conditional sections (`<IfModule>`), `Include` and
//! variables are resolved by then, and so are macros; `.htaccess` files have no part in it.

use crate::hook::Parent;
use crate::text;
use httpd_sys as sys;

/// A directive as it stands in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line<'s> {
    /// Its name, as spelled there; that of a section has its `<`.
    pub name: &'s [u8],
    /// The rest of the line; that of a section has its `>`.
    pub arguments: &'s [u8],
    /// The file.
    pub file: &'s [u8],
    /// Its number in the file.
    pub number: u32,
    /// What stands inside the section.
    pub inside: Vec<Line<'s>>,
}

/// The directive and its siblings behind it.
///
/// # Safety
/// Null, or a directive of httpd's tree, which lives for `'s` with its texts and is not changed meanwhile.
pub(super) unsafe fn lines<'s>(first: *const sys::ap_directive_t) -> Vec<Line<'s>> {
    let mut all = Vec::new();
    let mut next = first;
    // SAFETY: the caller's promise; siblings and children are parts of the same tree.
    unsafe {
        while let Some(directive) = next.as_ref() {
            all.push(Line {
                name: text::bytes(directive.directive).unwrap_or_default(),
                arguments: text::bytes(directive.args).unwrap_or_default(),
                file: text::bytes(directive.filename).unwrap_or_default(),
                number: u32::try_from(directive.line_num).unwrap_or(0),
                inside: lines(directive.first_child),
            });
            next = directive.next;
        }
    }
    all
}

impl<'a> Parent<'a> {
    /// The whole configuration, in the order in which it was read.
    pub fn configuration(&self) -> Vec<Line<'a>> {
        // SAFETY: httpd's tree, allocated from the pool of the configuration, which lives for 'a; in the parent's only
        // thread, nobody reads another configuration meanwhile.
        unsafe { lines(sys::ap_conftree) }
    }
}
