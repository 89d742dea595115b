//! Names of the parts of a split GGUF file.

/// `(X, 3)` of `X-00001-of-00003`, in either case.
pub(super) fn split_part(stem: &str) -> Option<(&str, usize)> {
    let (rest, of) = stem.rsplit_once("-of-").or_else(|| stem.rsplit_once("-OF-"))?;
    let (base, part) = rest.rsplit_once('-')?;
    let is_number = |text: &str| text.len() == 5 && text.bytes().all(|b| b.is_ascii_digit());
    (is_number(part) && is_number(of)).then(|| Some((base, of.parse().ok()?)))?
}
