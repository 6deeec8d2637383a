//! Prints what this machine is and, measured now, what it can do.
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use machine::{Cost, KernelProbe, Limits, Machine, predict, space};

fn main() -> Result<(), machine::Error> {
    let machine = Machine::detect();
    print!("{machine}");
    println!("disk     {} free here", space(std::path::Path::new("."))?.free);
    let probe = KernelProbe::new(kernels::Isa::best(), &machine);
    let limits = Limits::measure(&probe, machine.cpu.default_threads())?;
    print!("{limits}");
    let weights = 800_000_000;
    let work = Cost { weight_bytes_read: weights, int8_ops: 2_472_000_000, ..Cost::default() };
    let prediction = predict(&work, &limits);
    let speed = prediction.tokens_per_s(1);
    println!(
        "a model of 1.2 B weights in 4.5 bits: at most {speed:.0} tokens/s ({:?})",
        prediction.bound
    );
    Ok(())
}
