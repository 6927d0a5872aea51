//! What callgrind writes, read: total, what each object took itself, what calls cost. The format is that of
//! <https://valgrind.org/docs/manual/cl-format.html>, without compression of names and positions.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// Options for output that this file can read.
pub const OPTIONS: [&str; 3] = ["--tool=callgrind", "--compress-strings=no", "--compress-pos=no"];

/// One profile.
#[derive(Debug, Default)]
pub struct Profile {
    /// All instructions.
    pub total: u64,
    /// Those of functions of a program or library, by its file.
    own: BTreeMap<String, u64>,
    calls: Vec<Calls>,
}

/// The calls from one place to one function.
#[derive(Debug)]
struct Calls {
    from: String,
    to: String,
    function: String,
    count: u64,
    /// Instructions from entry to return, whatever was called in between.
    cost: u64,
}

impl Profile {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("callgrind has written no {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("{} is not what callgrind writes", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let mut profile = Self::default();
        let (mut object, mut other, mut function) = (String::new(), None, String::new());
        let mut lines = text.lines();
        let number =
            |word: Option<&str>| -> Result<u64> { Ok(word.context("a number is missing")?.parse()?) };
        while let Some(line) = lines.next() {
            let mut words = line.split_whitespace();
            if let Some(file) = line.strip_prefix("ob=") {
                object = file.to_owned();
            } else if let Some(file) = line.strip_prefix("cob=") {
                other = Some(file.to_owned());
            } else if let Some(name) = line.strip_prefix("cfn=") {
                function = name.to_owned();
            } else if let Some(rest) = line.strip_prefix("calls=") {
                let count = number(rest.split_whitespace().next())?;
                let cost = number(lines.next().unwrap_or_default().split_whitespace().nth(1))?;
                let to = other.take().unwrap_or_else(|| object.clone());
                profile.calls.push(Calls {
                    from: object.clone(),
                    to,
                    function: function.clone(),
                    count,
                    cost,
                });
            } else if let Some(total) = line.strip_prefix("totals:") {
                profile.total = number(Some(total.trim()))?;
            } else if line.starts_with(|first: char| first.is_ascii_digit()) {
                *profile.own.entry(object.clone()).or_default() += number(words.nth(1))?;
            }
        }
        if profile.total == 0 {
            bail!("nothing was counted");
        }
        Ok(profile)
    }

    /// Instructions of one call of the function whose name contains this, whatever it called.
    pub fn per_call(&self, function: &str) -> Result<f64> {
        let calls = || self.calls.iter().filter(|calls| calls.function.contains(function));
        let count: u64 = calls().map(|calls| calls.count).sum();
        if count == 0 {
            bail!(
                "callgrind saw no call of `{function}`: was it renamed, or has it lost its #[inline(never)]?"
            );
        }
        Ok(calls().map(|calls| calls.cost).sum::<u64>() as f64 / count as f64)
    }

    /// Instructions of the object whose file name begins with this, and of what it called in the C library.
    pub fn part(&self, object: &str) -> Result<u64> {
        let is_ours = |path: &str| name(path).starts_with(object);
        let own: u64 = self.own.iter().filter(|(path, _)| is_ours(path)).map(|(_, cost)| cost).sum();
        if own == 0 {
            bail!("callgrind saw no instruction of {object}");
        }
        let calls = self.calls.iter().filter(|calls| is_ours(&calls.from) && is_c_library(&calls.to));
        Ok(own + calls.map(|calls| calls.cost).sum::<u64>())
    }

    /// What each object took itself, the largest first: the name of its file, and instructions.
    pub fn objects(&self) -> Vec<(&str, u64)> {
        let mut objects: Vec<_> = self.own.iter().map(|(path, cost)| (name(path), *cost)).collect();
        objects.sort_by_key(|(_, cost)| std::cmp::Reverse(*cost));
        objects
    }
}

fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// glibc, its dynamic linker (which finds thread-local variables), or musl.
fn is_c_library(path: &str) -> bool {
    ["libc.", "libm.", "libpthread.", "ld-"].iter().any(|begin| name(path).starts_with(begin))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# callgrind format\nevents: Ir\n\nob=/x/ours.so\nfl=a.rs\nfn=outer\n10 5\n+0 1\n11 7\n\
        cob=/lib/libc.so.6\ncfi=malloc.c\ncfn=malloc\ncalls=2 100\n11 40\ncfn=inner\ncalls=3 20\n12 30\n\n\
        fn=inner\n20 30\n\nob=/lib/libc.so.6\nfn=malloc\n100 40\ncob=/x/python\ncfn=hook\ncalls=1 1\n100 9\n\n\
        ob=/x/python\nfn=hook\n1 9\ntotals: 92\n";

    #[test]
    fn own_costs_calls_and_totals_are_told_apart() {
        let profile = Profile::parse(FILE).unwrap();
        assert_eq!(profile.total, 92);
        assert_eq!(profile.objects(), [("ours.so", 42), ("libc.so.6", 40), ("python", 9)]);
        assert_eq!(profile.part("ours").unwrap(), 42 + 40, "with what it called in the C library");
        assert!((profile.per_call("inner").unwrap() - 10.0).abs() < 1e-9);
        assert!((profile.per_call("malloc").unwrap() - 20.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_not_there_is_an_error_and_not_zero() {
        let profile = Profile::parse(FILE).unwrap();
        let error = profile.per_call("build").unwrap_err().to_string();
        assert!(error.contains("`build`") && error.contains("inline(never)"), "{error}");
        assert!(profile.part("theirs").is_err());
        assert!(Profile::parse("events: Ir\ntotals: 0\n").is_err());
    }
}
