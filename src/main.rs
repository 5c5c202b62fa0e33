//! The `pyzpack` command.
fn main() {
    let t = std::time::Instant::now();
    let mut inputs = vec![];
    for d in std::env::args().skip(1) {
        for f in std::fs::read_dir(d).unwrap() {
            inputs.push(pyzpack::wheel::WheelInput {
                path: f.unwrap().path(),
                expected: None,
                origin: pyzpack::wheel::Origin::Local,
            });
        }
    }
    inputs.sort_by_key(|i| std::cmp::Reverse(std::fs::metadata(&i.path).unwrap().len()));
    match pyzpack::wheel::verify_wheels(&inputs, &Default::default()) {
        Ok(w) => println!("{} wheels {} files", w.len(), w.iter().map(|w| w.files.len()).sum::<usize>()),
        Err(e) => println!("{e}"),
    }
    println!("{:?}", t.elapsed());
}
