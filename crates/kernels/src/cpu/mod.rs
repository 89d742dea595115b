//! CPU twins
