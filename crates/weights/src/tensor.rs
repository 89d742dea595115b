use crate::DType;

/// Where a tensor lies and what it looks like. Sizes were checked when the checkpoint was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// Name as in the file.
    pub name: String,
    /// Row-major shape, slowest dimension first: a linear layer is `[out, in]` in both containers
    /// (the dimensions of GGUF are reversed while reading).
    pub shape: Vec<usize>,
    /// How the elements are stored.
    pub dtype: DType,
    /// Which of the checkpoint's sources holds the tensor, counted as they were given.
    pub source: usize,
    /// First byte, counted from the start of that source.
    pub offset: u64,
    /// Bytes of the whole tensor.
    pub byte_len: u64,
}

impl TensorInfo {
    /// Elements of one row, the last dimension; 1 for a scalar.
    pub fn row_len(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    /// Product of all dimensions but the last. A vector has one row.
    pub fn n_rows(&self) -> usize {
        match self.shape.split_last() {
            Some((_, outer)) => outer.iter().product(),
            None => 1,
        }
    }

    /// Bytes of one row. Rows are whole blocks, and follow each other without gaps.
    pub fn row_bytes(&self) -> usize {
        self.row_len() / self.dtype.block_len() * self.dtype.block_bytes()
    }

    /// Builds the description from untrusted dimensions (slowest first) and checks everything that
    /// can be checked without the file. The error says what is wrong, without naming the tensor.
    pub(crate) fn checked(
        name: &str,
        dims: &[u64],
        dtype: DType,
        source: usize,
        offset: u64,
    ) -> Result<Self, String> {
        let too_large = || format!("the shape {dims:?} is too large for this machine");
        let shape: Vec<usize> =
            dims.iter().map(|&d| usize::try_from(d).map_err(|_| too_large())).collect::<Result<_, _>>()?;
        let row_len = dims.last().copied().unwrap_or(1);
        let block = dtype.block_len() as u64;
        if !row_len.is_multiple_of(block) {
            return Err(format!(
                "rows of {row_len} elements cannot be {dtype}, which comes in blocks of {block}"
            ));
        }
        let row_bytes = (row_len / block)
            .checked_mul(dtype.block_bytes() as u64)
            .filter(|&b| usize::try_from(b).is_ok())
            .ok_or_else(too_large)?;
        // Zeros are left out, so that no partial product can overflow later, in whatever order.
        let outer = &shape[..shape.len().saturating_sub(1)];
        let n_rows = outer
            .iter()
            .filter(|&&d| d != 0)
            .try_fold(1usize, |n, &d| n.checked_mul(d))
            .ok_or_else(too_large)?;
        let n_rows = if outer.contains(&0) { 0 } else { n_rows };
        let byte_len = row_bytes.checked_mul(n_rows as u64).ok_or_else(too_large)?;
        Ok(Self { name: name.to_owned(), shape, dtype, source, offset, byte_len })
    }
}
