//! Proves that a program will start where the Functions host runs it.
//!
//! Its image is not published; the oldest that Microsoft documents for it has glibc 2.31 and not much else. A program
//! that needs more does not start, and all that the host says is that the handler did not answer.

use anyhow::{Context as _, Result, bail, ensure};
use object::Endianness;
use object::elf;
use object::read::elf::{ElfFile64, FileHeader as _, ProgramHeader as _};
use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::Path;

/// The newest glibc that a packaged program may need.
const NEWEST: Glibc = Glibc(2, 31);

/// Libraries that come with glibc and gcc, and are in every image.
const LIBRARIES: [&str; 8] = [
    "ld-linux-x86-64.so.2",
    "libc.so.6",
    "libdl.so.2",
    "libgcc_s.so.1",
    "libm.so.6",
    "libpthread.so.0",
    "librt.so.1",
    "libutil.so.1",
];

/// What to do about a program that is refused.
const CURE: &str = "build it static: `cargo xtask package` without `--binary` does";

/// A version of glibc.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Glibc(u32, u32);

impl Glibc {
    /// From the name of a symbol's version: `GLIBC_2.2.5` is 2.2.
    fn parse(name: &str) -> Option<Self> {
        let mut numbers = name.strip_prefix("GLIBC_")?.split('.').map(str::parse);
        match (numbers.next()?, numbers.next()?) {
            (Ok(major), Ok(minor)) => Some(Self(major, minor)),
            _ => None,
        }
    }
}

impl fmt::Display for Glibc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// How a program is linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linkage {
    /// It needs nothing of the system but the kernel.
    Static,
    /// It needs the system's libraries.
    Dynamic {
        /// The oldest glibc with all that it needs; none if no symbol has a version.
        glibc: Option<Glibc>,
    },
}

impl fmt::Display for Linkage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Static => write!(f, "static"),
            Self::Dynamic { glibc: Some(glibc) } => write!(f, "needs glibc {glibc}"),
            Self::Dynamic { glibc: None } => write!(f, "needs any glibc"),
        }
    }
}

/// How the program is linked, or why it would not start under the Functions host.
pub fn inspect(program: &Path) -> Result<Linkage> {
    let bytes =
        fs::read(program).with_context(|| format!("cannot read `{}`", program.display()))?;
    look(&bytes).with_context(|| format!("`{}` cannot be packaged", program.display()))
}

fn look(bytes: &[u8]) -> Result<Linkage> {
    let elf = ElfFile64::<Endianness>::parse(bytes)
        .context("it is no 64-bit ELF program; the Functions host runs Linux on x86-64")?;
    let header = elf.elf_header();
    let endian = elf.endian();
    ensure!(
        header.e_machine(endian) == elf::EM_X86_64,
        "it is for another processor; the Functions host runs Linux on x86-64"
    );
    ensure!(
        matches!(header.e_type(endian), elf::ET_EXEC | elf::ET_DYN) && header.e_entry(endian) != 0,
        "it is a library, not a program"
    );
    let mut interpreter = false;
    for segment in elf.elf_program_headers() {
        interpreter |= segment.p_type(endian) == elf::PT_INTERP;
    }
    let needed = needed(&elf)?;
    if !interpreter && needed.is_empty() {
        return Ok(Linkage::Static);
    }
    if let Some(library) = needed.iter().find(|name| !LIBRARIES.contains(&name.as_str())) {
        bail!("it needs the library `{library}`, which the Functions host does not have; {CURE}");
    }
    let glibc = glibc(&elf)?;
    Ok(Linkage::Dynamic { glibc })
}

/// The libraries that the loader must find.
fn needed(elf: &ElfFile64<'_, Endianness>) -> Result<BTreeSet<String>> {
    let endian = elf.endian();
    let table = elf.elf_dynamic_table()?;
    let mut listed = false;
    let mut needed = BTreeSet::new();
    for entry in &table {
        listed = true;
        if entry.tag == elf::DT_NEEDED {
            needed.insert(text(table.string(entry)?));
        }
    }
    // The loader goes by segments, we by sections: one without the other tells us nothing.
    let loaded =
        elf.elf_program_headers().iter().any(|segment| segment.p_type(endian) == elf::PT_DYNAMIC);
    ensure!(listed || !loaded, "what it needs cannot be read: its section table is stripped");
    Ok(needed)
}

/// The oldest glibc with every version of a symbol that the program needs.
fn glibc(elf: &ElfFile64<'_, Endianness>) -> Result<Option<Glibc>> {
    let endian = elf.endian();
    let sections = elf.elf_section_table();
    let Some((mut needs, link)) = sections.gnu_verneed(endian, elf.data())? else {
        return Ok(None);
    };
    let strings = sections.strings(endian, elf.data(), link)?;
    let mut newest: Option<Glibc> = None;
    while let Some((need, mut versions)) = needs.next()? {
        let library = text(need.file(endian, strings)?);
        while let Some(version) = versions.next()? {
            let name = text(version.name(endian, strings)?);
            let weak = version.vna_flags.get(endian).contains(elf::VER_FLG_WEAK);
            // A weak one may be missing; versions of other libraries are older than any image.
            if weak || !name.starts_with("GLIBC_") {
                continue;
            }
            let glibc = Glibc::parse(&name);
            if glibc.is_none_or(|glibc| glibc > NEWEST) {
                let symbols = symbols(elf, &name)?;
                let symbols = if symbols.is_empty() {
                    String::new()
                } else {
                    format!(" for `{}`", symbols.join("`, `"))
                };
                bail!(
                    "it needs {name} of `{library}`{symbols}, and the Functions host may have no glibc newer than {NEWEST}; {CURE}"
                );
            }
            newest = newest.max(glibc);
        }
    }
    Ok(newest)
}

/// Some of the symbols that are needed in this version.
fn symbols(elf: &ElfFile64<'_, Endianness>, version: &str) -> Result<Vec<String>> {
    let endian = elf.endian();
    let sections = elf.elf_section_table();
    let Some(versions) = sections.versions(endian, elf.data())? else {
        return Ok(Vec::new());
    };
    let table = elf.elf_dynamic_symbol_table();
    let mut found = Vec::new();
    for (index, symbol) in table.enumerate() {
        let needed = versions.version(versions.version_index(endian, index).index())?;
        if needed.is_some_and(|needed| needed.name() == version.as_bytes()) && found.len() < 3 {
            found.push(text(table.symbol_name(endian, symbol)?));
        }
    }
    Ok(found)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use object::build::elf::{
        Builder, Dynamic, SectionData, SectionId, VersionData, VersionId, VersionNeed,
    };

    /// A program without code.
    struct Program {
        machine: elf::Machine,
        kind: elf::FileType,
        entry: u64,
        interpreter: bool,
        libraries: Vec<&'static str>,
        /// Symbol, version, flags.
        symbols: Vec<(&'static str, &'static str, elf::VersionFlags)>,
    }

    impl Program {
        fn fixed() -> Self {
            Self {
                machine: elf::EM_X86_64,
                kind: elf::ET_DYN,
                entry: 0x1000,
                interpreter: false,
                libraries: Vec::new(),
                symbols: Vec::new(),
            }
        }

        fn dynamic(symbols: &[(&'static str, &'static str)]) -> Self {
            let symbols = symbols.iter().map(|(s, v)| (*s, *v, elf::VersionFlags(0))).collect();
            Self { interpreter: true, libraries: vec!["libc.so.6"], symbols, ..Self::fixed() }
        }

        fn entries(&self) -> Vec<Dynamic<'_>> {
            let name = |name: &&'static str| Dynamic::String {
                tag: elf::DT_NEEDED,
                val: name.as_bytes().into(),
            };
            let end = [elf::DT_FLAGS_1, elf::DT_NULL].map(|tag| Dynamic::Integer { tag, val: 0 });
            self.libraries.iter().map(name).chain(end).collect()
        }

        fn build(&self) -> Vec<u8> {
            let mut builder = Builder::new(Endianness::Little, true);
            builder.header.e_type = self.kind;
            builder.header.e_machine = self.machine;
            builder.header.e_entry = self.entry;
            builder.header.e_phoff = 0x40;
            let mut add = |name, kind, link, data| section(&mut builder, name, kind, link, data);
            add(".shstrtab", elf::SHT_STRTAB, None, SectionData::SectionString);
            let code = SectionData::Data(vec![0xcc; 16].into());
            let strings = add(".dynstr", elf::SHT_STRTAB, None, SectionData::DynamicString);
            let dynamic = SectionData::Dynamic(self.entries());
            let dynamic = add(".dynamic", elf::SHT_DYNAMIC, Some(strings), dynamic);
            let mut loaded = vec![add(".text", elf::SHT_PROGBITS, None, code), strings, dynamic];
            if self.interpreter {
                let path = SectionData::Data(b"/lib64/ld-linux-x86-64.so.2\0"[..].into());
                loaded.push(add(".interp", elf::SHT_PROGBITS, None, path));
            }
            if !self.symbols.is_empty() {
                let symbols =
                    add(".dynsym", elf::SHT_DYNSYM, Some(strings), SectionData::DynamicSymbol);
                let of = Some(symbols);
                let versions = SectionData::GnuVersym;
                loaded.push(symbols);
                loaded.push(add(".gnu.version", elf::SHT_GNU_VERSYM, of, versions));
                let needs = SectionData::GnuVerneed;
                loaded.push(add(".gnu.version_r", elf::SHT_GNU_VERNEED, Some(strings), needs));
                let file = builder.version_files.add(b"libc.so.6"[..].into());
                for (name, version, flags) in &self.symbols {
                    let need = VersionNeed { file, name: version.as_bytes().into(), flags: *flags };
                    let version: VersionId = builder.versions.add(VersionData::Need(need));
                    let symbol = builder.dynamic_symbols.add();
                    symbol.name = name.as_bytes().into();
                    symbol.set_st_info(elf::STB_GLOBAL, elf::STT_FUNC);
                    symbol.version = version;
                }
            }
            builder.set_section_sizes();
            let load = builder.segments.add_load_segment(elf::PF_R | elf::PF_X, 0x1000);
            load.p_offset = 0x1000;
            load.p_vaddr = 0x1000;
            load.p_paddr = 0x1000;
            for id in loaded {
                load.append_section(builder.sections.get_mut(id));
            }
            if self.interpreter {
                builder.segments.add().p_type = elf::PT_INTERP;
            }
            let segment = builder.segments.add();
            segment.p_type = elf::PT_DYNAMIC;
            segment.append_section(builder.sections.get_mut(dynamic));
            let mut bytes = Vec::new();
            builder.write(&mut bytes).unwrap();
            bytes
        }
    }

    fn section<'a>(
        builder: &mut Builder<'a>,
        name: &'static str,
        kind: elf::SectionType,
        link: Option<SectionId>,
        data: SectionData<'a>,
    ) -> SectionId {
        let section = builder.sections.add();
        section.name = name.as_bytes().into();
        section.sh_type = kind;
        section.sh_addralign = 8;
        if kind != elf::SHT_STRTAB || name == ".dynstr" {
            section.sh_flags = elf::SHF_ALLOC;
        }
        section.sh_link_section = link;
        section.data = data;
        section.id()
    }

    #[track_caller]
    fn refused(program: &[u8], words: &[&str]) {
        let error = format!("{:#}", look(program).unwrap_err());
        for word in words {
            assert!(error.contains(word), "`{word}` is not said: {error}");
        }
    }

    #[test]
    fn a_static_program_passes() {
        assert_eq!(look(&Program::fixed().build()).unwrap(), Linkage::Static);
        let exec = Program { kind: elf::ET_EXEC, ..Program::fixed() };
        assert_eq!(look(&exec.build()).unwrap(), Linkage::Static);
    }

    #[test]
    fn an_old_enough_glibc_passes() {
        let program = Program::dynamic(&[("read", "GLIBC_2.2.5"), ("gettid", "GLIBC_2.30")]);
        let linkage = look(&program.build()).unwrap();
        assert_eq!(linkage, Linkage::Dynamic { glibc: Some(Glibc(2, 30)) });
        assert_eq!(linkage.to_string(), "needs glibc 2.30");
        let program = Program::dynamic(&[("pow", "GLIBC_2.31"), ("_Unwind_Resume", "GCC_3.0")]);
        assert_eq!(look(&program.build()).unwrap(), Linkage::Dynamic { glibc: Some(Glibc(2, 31)) });
        assert_eq!(look(&Program::dynamic(&[]).build()).unwrap(), Linkage::Dynamic { glibc: None });
    }

    #[test]
    fn a_newer_glibc_is_refused_by_symbol_with_the_cure() {
        for version in ["GLIBC_2.32", "GLIBC_2.100", "GLIBC_3.0"] {
            let program = Program::dynamic(&[("read", "GLIBC_2.2.5"), ("dlsym", version)]);
            refused(&program.build(), &[version, "`libc.so.6`", "`dlsym`", "build it static"]);
        }
        // Versions that are no numbers are promises of new loaders.
        let program = Program::dynamic(&[("", "GLIBC_ABI_DT_RELR")]);
        refused(&program.build(), &["GLIBC_ABI_DT_RELR"]);
    }

    #[test]
    fn what_may_be_missing_does_not_matter() {
        let mut program = Program::dynamic(&[("read", "GLIBC_2.2.5")]);
        program.symbols.push(("new", "GLIBC_2.39", elf::VER_FLG_WEAK));
        assert_eq!(look(&program.build()).unwrap(), Linkage::Dynamic { glibc: Some(Glibc(2, 2)) });
    }

    #[test]
    fn other_libraries_are_refused() {
        let mut program = Program::dynamic(&[]);
        program.libraries.push("libssl.so.3");
        refused(&program.build(), &["`libssl.so.3`", "build it static"]);
        // Without a loader's name it still has to be loaded.
        let program = Program { libraries: vec!["libssl.so.3"], ..Program::fixed() };
        refused(&program.build(), &["`libssl.so.3`"]);
    }

    #[test]
    fn other_machines_and_other_files_are_refused() {
        let arm = Program { machine: elf::EM_AARCH64, ..Program::fixed() };
        refused(&arm.build(), &["another processor", "Linux on x86-64"]);
        let library = Program { entry: 0, ..Program::fixed() };
        refused(&library.build(), &["a library"]);
        let object = Program { kind: elf::ET_REL, ..Program::fixed() };
        refused(&object.build(), &["a library"]);
        refused(b"#!/bin/sh\n", &["no 64-bit ELF"]);
        refused(b"MZ", &["no 64-bit ELF"]);
        refused(b"", &["no 64-bit ELF"]);
    }

    #[test]
    fn a_program_whose_needs_cannot_be_read_is_refused() {
        let mut bytes = Program::dynamic(&[("dlsym", "GLIBC_2.34")]).build();
        // `e_shoff`, `e_shnum` and `e_shstrndx`: what `sstrip` clears.
        bytes[0x28..0x30].fill(0);
        bytes[0x3c..0x40].fill(0);
        refused(&bytes, &["section table is stripped"]);
    }

    #[test]
    fn damage_is_an_error_and_no_panic() {
        let bytes = Program::dynamic(&[("read", "GLIBC_2.2.5")]).build();
        for end in 0..bytes.len() {
            let _either_way = look(&bytes[..end]);
        }
        for place in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[place] ^= 0xff;
            let _either_way = look(&damaged);
        }
    }

    #[test]
    fn the_file_is_named() {
        let error = format!("{:#}", inspect(Path::new("no-such-program")).unwrap_err());
        assert!(error.contains("`no-such-program`"), "{error}");
    }
}
