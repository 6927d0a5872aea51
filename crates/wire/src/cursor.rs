//! A reader over received bytes that cannot overrun; knows nothing of frames.

use crate::WireError;

/// Reads fields from the front of a byte slice. Every read names the field, for the error.
#[derive(Debug, Clone)]
pub struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// Starts at the front of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The bytes not read yet.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `n` bytes.
    ///
    /// # Errors
    /// [`WireError::Truncated`] when fewer are left.
    pub fn bytes(&mut self, n: usize, what: &'static str) -> Result<&'a [u8], WireError> {
        let (front, rest) = self.rest.split_at_checked(n).ok_or(WireError::Truncated(what))?;
        self.rest = rest;
        Ok(front)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], WireError> {
        let (front, rest) = self.rest.split_first_chunk::<N>().ok_or(WireError::Truncated(what))?;
        self.rest = rest;
        Ok(*front)
    }

    /// One byte.
    ///
    /// # Errors
    /// [`WireError::Truncated`] at the end.
    pub fn u8(&mut self, what: &'static str) -> Result<u8, WireError> {
        Ok(self.array::<1>(what)?[0])
    }

    /// A 16-bit number.
    ///
    /// # Errors
    /// [`WireError::Truncated`] at the end.
    pub fn u16(&mut self, what: &'static str) -> Result<u16, WireError> {
        Ok(u16::from_le_bytes(self.array(what)?))
    }

    /// A 32-bit number.
    ///
    /// # Errors
    /// [`WireError::Truncated`] at the end.
    pub fn u32(&mut self, what: &'static str) -> Result<u32, WireError> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    /// A 64-bit number.
    ///
    /// # Errors
    /// [`WireError::Truncated`] at the end.
    pub fn u64(&mut self, what: &'static str) -> Result<u64, WireError> {
        Ok(u64::from_le_bytes(self.array(what)?))
    }

    /// Bytes with a 16-bit length in front.
    ///
    /// # Errors
    /// [`WireError::Truncated`] when the length is more than what is left.
    pub fn short(&mut self, what: &'static str) -> Result<&'a [u8], WireError> {
        let n = self.u16(what)?;
        self.bytes(usize::from(n), what)
    }

    /// Bytes with a 32-bit length in front.
    ///
    /// # Errors
    /// [`WireError::Truncated`] when the length is more than what is left.
    pub fn long(&mut self, what: &'static str) -> Result<&'a [u8], WireError> {
        let n = self.u32(what)?;
        self.bytes(usize::try_from(n).map_err(|_| WireError::Truncated(what))?, what)
    }

    /// Nothing may be left.
    ///
    /// # Errors
    /// [`WireError::Trailing`] otherwise.
    pub fn end(&self) -> Result<(), WireError> {
        if self.rest.is_empty() { Ok(()) } else { Err(WireError::Trailing(self.rest.len())) }
    }
}
