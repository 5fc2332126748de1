//! The program's error when standard output cannot be written.

use sales_testbed::testing::check_standard_output;

#[test]
fn what_cannot_be_written_is_an_error_and_a_reader_who_has_gone_is_none() {
    check_standard_output(env!("CARGO_BIN_EXE_sales-lake"), &["--help"]);
}
