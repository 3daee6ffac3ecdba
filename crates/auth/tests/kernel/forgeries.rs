//! What must not compile: each file of `tests/forgeries/` tries to make, copy or reuse a state of trust, and the compiler
//! says why it cannot.

#[test]
fn trust_cannot_be_forged() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/forgeries/*.rs");
}
