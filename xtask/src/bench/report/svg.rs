//! The little of SVG that the charts need, with colors for light and dark pages.
//!
//! plotters was looked at: its SVG writes a fixed color into every shape and knows no style sheet, which such colors need.

use std::fmt::{self, Write};

/// Width of the letters of the usual sans-serif fonts at most, as a part of their size.
const LETTER: f64 = 0.6;
/// Size of names and numbers.
pub const TEXT: u32 = 12;

/// What a shape stands for; the style sheet knows its color.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// This project's server.
    Ours,
    /// What everything is compared with.
    Base,
    /// Any other server.
    Other,
    /// One of the parts of a stacked bar, from the first on.
    Part(u8),
    /// How far numbers spread, and scales.
    Line,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ours => f.write_str("ours"),
            Self::Base => f.write_str("base"),
            Self::Other => f.write_str("other"),
            Self::Part(number) => write!(f, "part{number}"),
            Self::Line => f.write_str("line"),
        }
    }
}

/// The weight of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// As most are.
    Plain,
    /// Headings, and ours.
    Strong,
    /// Explanations.
    Faint,
}

const LIGHT: &str = ".page{fill:#ffffff}text{fill:#1f2328}.faint{fill:#59636e}.ours{fill:#bc4c00}.base{fill:#57606a}.other{fill:#afb8c1}\
                     .line{stroke:#24292f}.part0{fill:#0969da}.part1{fill:#80ccff}.part2{fill:#8250df}.part3{fill:#2da44e}.part4{fill:#bc4c00}";
const DARK: &str = ".page{fill:#0d1117}text{fill:#e6edf3}.faint{fill:#9198a1}.ours{fill:#f0883e}.base{fill:#9198a1}.other{fill:#484f58}\
                    .line{stroke:#c9d1d9}.part0{fill:#1f6feb}.part1{fill:#0c4a8c}.part2{fill:#a371f7}.part3{fill:#3fb950}.part4{fill:#f0883e}";

/// A drawing that grows.
#[derive(Debug, Default)]
pub struct Drawing {
    shapes: String,
}

impl Drawing {
    /// A bar. All lengths are in pixels, from the upper left corner.
    pub fn bar(&mut self, role: Role, left: f64, top: u32, width: f64, height: u32) {
        let width = width.max(1.0);
        self.add(format_args!(
            "<rect class=\"{role}\" x=\"{left:.1}\" y=\"{top}\" width=\"{width:.1}\" height=\"{height}\" rx=\"2\"/>"
        ));
    }

    /// A straight line.
    pub fn line(&mut self, from: (f64, u32), to: (f64, u32)) {
        let role = Role::Line;
        self.add(format_args!(
            "<line class=\"{role}\" x1=\"{:.1}\" y1=\"{}\" x2=\"{:.1}\" y2=\"{}\"/>",
            from.0, from.1, to.0, to.1
        ));
    }

    /// A text that begins at `left`; `base` is the line it stands on.
    pub fn text(&mut self, weight: Weight, left: f64, base: u32, size: u32, text: &str) {
        let class = match weight {
            Weight::Plain => "",
            Weight::Strong => " font-weight=\"600\"",
            Weight::Faint => " class=\"faint\"",
        };
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        self.add(format_args!(
            "<text x=\"{left:.1}\" y=\"{base}\" font-size=\"{size}\"{class}>{text}</text>"
        ));
    }

    fn add(&mut self, shape: fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = writeln!(self.shapes, "{shape}");
    }

    /// The whole document; `title` is what programs read aloud.
    pub fn finish(self, title: &str, width: u32, height: u32) -> String {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
             font-family=\"-apple-system, 'Segoe UI', 'Noto Sans', 'DejaVu Sans', Helvetica, Arial, sans-serif\" role=\"img\">\n\
             <title>{title}</title>\n<style>{LIGHT}.line{{stroke-width:1}}@media (prefers-color-scheme: dark){{{DARK}}}</style>\n\
             <rect class=\"page\" width=\"{width}\" height=\"{height}\" rx=\"6\"/>\n{}</svg>\n",
            self.shapes
        )
    }
}

/// The room that a text of [`TEXT`] takes at most.
pub fn room(text: &str) -> f64 {
    text.chars().count() as f64 * f64::from(TEXT) * LETTER
}
