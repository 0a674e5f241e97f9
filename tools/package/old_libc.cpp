// The few functions of newer C libraries that the compiler's own libraries and headers ask for, so that a
// program built on Debian 13 runs on the C library of Debian 11 (2.31). tools/package.sh links it into the
// packaged program only.
#include <link.h>
#include <stdlib.h>
#include <unistd.h>

extern "C" {

// Since 2.32. Never single-threaded: counters of references stay atomic.
extern const char __libc_single_threaded;
const char __libc_single_threaded = 0;

// Since 2.38 strtol and its kin read binary numbers under these names; 2.31's do not.
long old_strtol(const char* text, char** end, int base) __asm__("strtol");
long long old_strtoll(const char* text, char** end, int base) __asm__("strtoll");
unsigned long old_strtoul(const char* text, char** end, int base) __asm__("strtoul");
unsigned long long old_strtoull(const char* text, char** end, int base) __asm__("strtoull");
long __isoc23_strtol(const char* text, char** end, int base) {
  return old_strtol(text, end, base);
}
long long __isoc23_strtoll(const char* text, char** end, int base) {
  return old_strtoll(text, end, base);
}
unsigned long __isoc23_strtoul(const char* text, char** end, int base) {
  return old_strtoul(text, end, base);
}
unsigned long long __isoc23_strtoull(const char* text, char** end, int base) {
  return old_strtoull(text, end, base);
}

// Since 2.36; std::random_device calls it.
unsigned arc4random() noexcept {
  unsigned value;
  if (getentropy(&value, sizeof value) != 0) abort();
  return value;
}

// Since 2.35; the unwinder asks which object holds an address and where that object's table of frames is.
int _dl_find_object(void* address, dl_find_object* result) noexcept {
  struct Search {
    ElfW(Addr) address;
    dl_find_object* result;
  } search{reinterpret_cast<ElfW(Addr)>(address), result};
  const auto visit = [](dl_phdr_info* object, size_t, void* data) {
    auto& [address, result] = *static_cast<Search*>(data);
    bool holds = false;
    void* frames = nullptr;
    for (int i = 0; i < object->dlpi_phnum; ++i) {
      const ElfW(Phdr)& header = object->dlpi_phdr[i];
      const ElfW(Addr) begin = object->dlpi_addr + header.p_vaddr;
      if (header.p_type == PT_LOAD && address >= begin && address < begin + header.p_memsz) {
        holds = true;
        result->dlfo_map_start = reinterpret_cast<void*>(begin);
        result->dlfo_map_end = reinterpret_cast<void*>(begin + header.p_memsz);
      } else if (header.p_type == PT_GNU_EH_FRAME) {
        frames = reinterpret_cast<void*>(begin);
      }
    }
    result->dlfo_eh_frame = frames;
    return holds && frames != nullptr ? 1 : 0;
  };
  result->dlfo_flags = 0;
  result->dlfo_link_map = nullptr;
  return dl_iterate_phdr(visit, &search) == 1 ? 0 : -1;
}
}
