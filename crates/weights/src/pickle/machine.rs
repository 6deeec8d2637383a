//! Reads pickle operations and follows the few values that decide what is imported.

use super::PickleReport;

/// Values on the stack or in the memo that are followed, at most.
const VALUES_MAX: usize = 1 << 16;
/// Programs in a row that are read (old checkpoints have five).
const PROGRAMS_MAX: usize = 8;
/// Bytes of a text that can be part of a name.
const NAME_BYTES_MAX: usize = 256;

/// What plain checkpoints of PyTorch import; names are exact.
const EXPECTED: [&str; 44] = [
    "collections.OrderedDict",
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_parameter_with_state",
    "torch._tensor._rebuild_from_type_v2",
    "torch.Size",
    "torch.device",
    "torch.Tensor",
    "torch.nn.parameter.Parameter",
    "torch.serialization._get_layout",
    "torch.storage.UntypedStorage",
    "torch.storage.TypedStorage",
    "torch.UntypedStorage",
    "torch.FloatStorage",
    "torch.DoubleStorage",
    "torch.HalfStorage",
    "torch.BFloat16Storage",
    "torch.LongStorage",
    "torch.IntStorage",
    "torch.ShortStorage",
    "torch.CharStorage",
    "torch.ByteStorage",
    "torch.BoolStorage",
    "torch.ComplexFloatStorage",
    "torch.ComplexDoubleStorage",
    "torch.QInt8Storage",
    "torch.QUInt8Storage",
    "torch.QInt32Storage",
    "torch.float32",
    "torch.float64",
    "torch.float16",
    "torch.bfloat16",
    "torch.float8_e4m3fn",
    "torch.float8_e5m2",
    "torch.int64",
    "torch.int32",
    "torch.int16",
    "torch.int8",
    "torch.uint8",
    "torch.bool",
    "torch.complex64",
    "torch.complex128",
    "torch.strided",
];

/// A value as far as it is followed.
#[derive(Clone, Copy)]
enum Item<'a> {
    /// A text that may become a name.
    Text(&'a [u8]),
    Mark,
    Other,
}

/// Follows `program` for at most `operations_max` operations.
pub(super) fn follow(program: &[u8], operations_max: usize, report: &mut PickleReport) {
    let mut rest = program;
    for _ in 0..PROGRAMS_MAX {
        let mut machine =
            Machine { rest, stack: Vec::new(), memo: Vec::new(), report: &mut *report };
        if let Err(why) = machine.run(operations_max) {
            report.fail(why);
            return;
        }
        rest = machine.rest;
        // Old checkpoints are several programs, then raw storage.
        if rest.first() != Some(&0x80) {
            return;
        }
    }
}

struct Machine<'a, 'r> {
    rest: &'a [u8],
    stack: Vec<Item<'a>>,
    memo: Vec<Item<'a>>,
    report: &'r mut PickleReport,
}

impl<'a> Machine<'a, '_> {
    /// Runs to the STOP of one program.
    fn run(&mut self, operations_max: usize) -> Result<(), String> {
        loop {
            if self.report.operations >= operations_max {
                return Err(format!("more than {operations_max} operations"));
            }
            let operation = self.take(1)?[0];
            self.report.operations += 1;
            if operation == b'.' {
                return Ok(());
            }
            self.step(operation)?;
            if self.stack.len() > VALUES_MAX {
                return Err(format!("more than {VALUES_MAX} values"));
            }
        }
    }

    #[expect(
        clippy::match_same_arms,
        reason = "a table of operations, grouped by what they are for"
    )]
    fn step(&mut self, operation: u8) -> Result<(), String> {
        match operation {
            // Texts.
            b'S' | b'V' => self.line_text()?,
            b'T' | b'B' | b'X' => self.counted::<4>()?,
            b'U' | b'C' | 0x8c => self.counted::<1>()?,
            0x8d | 0x8e | 0x96 => self.counted::<8>()?,
            // Numbers and other leaves.
            b'I' | b'L' | b'F' => {
                self.line()?;
                self.push(Item::Other);
            }
            b'J' => self.leaf(4)?,
            b'K' => self.leaf(1)?,
            b'M' => self.leaf(2)?,
            b'G' => self.leaf(8)?,
            0x8a => {
                let length = self.number::<1>()?;
                self.leaf(length)?;
            }
            0x8b => {
                let length = self.number::<4>()?;
                self.leaf(length)?;
            }
            b'N' | 0x88 | 0x89 | b']' | b')' | b'}' | 0x8f | 0x97 => self.push(Item::Other),
            // Persistent ids: the storages of PyTorch.
            b'P' => {
                self.line()?;
                self.push(Item::Other);
            }
            b'Q' => self.replace(1),
            // Stack.
            b'(' => self.push(Item::Mark),
            b'0' => _ = self.stack.pop(),
            b'1' => self.pop_to_mark(),
            b'2' => {
                let top = self.stack.last().copied().unwrap_or(Item::Other);
                self.push(top);
            }
            // Memo.
            b'p' => {
                let index = self.line_number()?;
                self.put(index)?;
            }
            b'q' => {
                let index = self.number::<1>()?;
                self.put(index)?;
            }
            b'r' => {
                let index = self.number::<4>()?;
                self.put(index)?;
            }
            0x94 => {
                let index = self.memo.len() as u64;
                self.put(index)?;
            }
            b'g' => {
                let index = self.line_number()?;
                self.get(index);
            }
            b'h' => {
                let index = self.number::<1>()?;
                self.get(index);
            }
            b'j' => {
                let index = self.number::<4>()?;
                self.get(index);
            }
            // Containers.
            b't' | b'l' | b'd' | 0x91 => {
                self.pop_to_mark();
                self.push(Item::Other);
            }
            0x85 => self.replace(1),
            0x86 => self.replace(2),
            0x87 => self.replace(3),
            b'a' => self.drop_items(1),
            b's' => self.drop_items(2),
            b'e' | b'u' | 0x90 => self.pop_to_mark(),
            _ => return self.step_code(operation),
        }
        Ok(())
    }

    /// The operations that import and call, and those around the program.
    fn step_code(&mut self, operation: u8) -> Result<(), String> {
        match operation {
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.import(module, name);
                self.push(Item::Other);
            }
            0x93 => {
                let (name, module) = (self.stack.pop(), self.stack.pop());
                match (module, name) {
                    (Some(Item::Text(module)), Some(Item::Text(name))) => self.import(module, name),
                    _ => self.report.add("(a computed name)", false),
                }
                self.push(Item::Other);
            }
            b'i' => {
                let (module, name) = (self.line()?, self.line()?);
                self.import(module, name);
                self.report.calls += 1;
                self.pop_to_mark();
                self.push(Item::Other);
            }
            b'o' => {
                self.report.calls += 1;
                self.pop_to_mark();
                self.push(Item::Other);
            }
            b'R' | 0x81 => {
                self.report.calls += 1;
                self.replace(2);
            }
            0x92 => {
                self.report.calls += 1;
                self.replace(3);
            }
            b'b' => {
                self.report.calls += 1;
                self.drop_items(1);
            }
            0x82 => self.extension::<1>()?,
            0x83 => self.extension::<2>()?,
            0x84 => self.extension::<4>()?,
            0x80 => _ = self.take(1)?,
            0x95 => _ = self.take(8)?,
            0x98 => {}
            unknown => return Err(format!("unknown operation {unknown:#04x}")),
        }
        Ok(())
    }

    fn import(&mut self, module: &[u8], name: &[u8]) {
        let full = format!("{}.{}", String::from_utf8_lossy(module), String::from_utf8_lossy(name));
        let expected = EXPECTED.contains(&full.as_str());
        self.report.add(&full, expected);
    }

    /// An import by a number that only the reader's registry knows.
    fn extension<const N: usize>(&mut self) -> Result<(), String> {
        let code = self.number::<N>()?;
        self.report.add(&format!("(extension {code})"), false);
        self.push(Item::Other);
        Ok(())
    }

    fn push(&mut self, item: Item<'a>) {
        self.stack.push(item);
    }

    fn leaf(&mut self, bytes: u64) -> Result<(), String> {
        self.take(bytes)?;
        self.push(Item::Other);
        Ok(())
    }

    fn replace(&mut self, count: usize) {
        self.drop_items(count);
        self.push(Item::Other);
    }

    fn drop_items(&mut self, count: usize) {
        let keep = self.stack.len().saturating_sub(count);
        self.stack.truncate(keep);
    }

    fn pop_to_mark(&mut self) {
        while let Some(item) = self.stack.pop() {
            if matches!(item, Item::Mark) {
                return;
            }
        }
    }

    fn put(&mut self, index: u64) -> Result<(), String> {
        let index = usize::try_from(index).ok().filter(|&index| index < VALUES_MAX * 16);
        let index = index.ok_or_else(|| "a memo of absurd size".to_owned())?;
        if index >= self.memo.len() {
            self.memo.resize(index + 1, Item::Other);
        }
        self.memo[index] = self.stack.last().copied().unwrap_or(Item::Other);
        Ok(())
    }

    fn get(&mut self, index: u64) {
        let item = usize::try_from(index).ok().and_then(|index| self.memo.get(index).copied());
        self.push(item.unwrap_or(Item::Other));
    }

    fn text(&mut self, bytes: &'a [u8]) {
        self.push(if bytes.len() <= NAME_BYTES_MAX { Item::Text(bytes) } else { Item::Other });
    }

    fn counted<const N: usize>(&mut self) -> Result<(), String> {
        let length = self.number::<N>()?;
        let bytes = self.take(length)?;
        self.text(bytes);
        Ok(())
    }

    fn line_text(&mut self) -> Result<(), String> {
        let line = self.line()?;
        let quoted = line.strip_prefix(b"'").and_then(|line| line.strip_suffix(b"'"));
        self.text(quoted.unwrap_or(line));
        Ok(())
    }

    fn line_number(&mut self) -> Result<u64, String> {
        let line = self.line()?;
        std::str::from_utf8(line)
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| "not a number".to_owned())
    }

    fn line(&mut self) -> Result<&'a [u8], String> {
        let end = self
            .rest
            .iter()
            .position(|&byte| byte == b'\n')
            .ok_or_else(|| "a line without an end".to_owned())?;
        let (line, rest) = self.rest.split_at(end);
        self.rest = &rest[1..];
        Ok(line)
    }

    fn number<const N: usize>(&mut self) -> Result<u64, String> {
        let bytes = self.take(N as u64)?;
        Ok(bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
    }

    fn take(&mut self, bytes: u64) -> Result<&'a [u8], String> {
        let count = usize::try_from(bytes).ok().filter(|&count| count <= self.rest.len());
        let count = count.ok_or_else(|| "it ends within an operation".to_owned())?;
        let (taken, rest) = self.rest.split_at(count);
        self.rest = rest;
        Ok(taken)
    }
}
