//! A cx.toml: it is read, or an error names a place that is in it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use model::EnvironmentName;
use model::project_file::ProjectFile;

fuzz_target!(|text: &str| match ProjectFile::parse(text) {
    Ok(file) => {
        for environment in EnvironmentName::ALL {
            assert!(file.variables(environment).keys().all(|name| !name.contains(['=', '\0'])));
        }
    }
    Err(error) => {
        let lines = text.split('\n').count();
        assert!((1..=lines).contains(&(error.line as usize)), "{error}");
        let line = text.split('\n').nth(error.line as usize - 1).unwrap_or_default();
        assert!((1..=line.chars().count() + 1).contains(&(error.column as usize)), "{error}");
        assert!(!error.message.is_empty() && !error.message.contains('\n'));
    }
});
