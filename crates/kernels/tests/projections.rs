//! Embedding, norm, GEMV and GEMM, under every mask.

use qwill_testkit::under_every_mask;

under_every_mask!(embed_rows);
under_every_mask!(norm_rms);
under_every_mask!(gemv);
under_every_mask!(gemm);
under_every_mask!(silu_mul);
under_every_mask!(candidates);
