//! An extension module by PyO3, as its guide writes one.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

#[pymodule]
mod pyo3_extension {
    use super::*;

    #[pyfunction]
    fn process_role(_role: &str, text: &str, _post: &Bound<'_, PyAny>) -> String {
        ["<tt>", text, "</tt>"].concat()
    }

    #[pyfunction]
    fn fail(_role: &str, _text: &str, post: &Bound<'_, PyAny>) -> PyResult<String> {
        let id: i64 = post.getattr("id")?.extract()?;
        Err(PyValueError::new_err(format!("no post {id}")))
    }

    #[pyfunction]
    fn call_back(left: usize, title: &Bound<'_, PyAny>) -> PyResult<String> {
        let mut last = String::new();
        for _ in 0..left {
            last = title.call1((42,))?.extract()?;
        }
        Ok(last)
    }
}
