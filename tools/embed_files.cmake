# Writes OUTPUT, a C++ file that defines FUNCTION: the files below DIR that match PATTERNS (separated by |), by name.
#   HEADER     include that declares the function and the type
#   NAMESPACE, TYPE, FUNCTION    `std::span<const TYPE> NAMESPACE::FUNCTION()`; a TYPE is made from a name and a text
string(REPLACE "|" ";" PATTERNS "${PATTERNS}")
list(TRANSFORM PATTERNS PREPEND ${DIR}/)
file(GLOB_RECURSE files RELATIVE ${DIR} ${PATTERNS})
list(SORT files)
foreach(file ${files})
  # Raw bytes as hexadecimal: no quoting rules and no limit on literal length.
  file(READ ${DIR}/${file} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${hex}")
  string(MAKE_C_IDENTIFIER ${file} id)
  string(APPEND arrays "static const char k_${id}[] = {${bytes}0};\n")
  string(APPEND entries "      {\"${file}\", std::string_view(k_${id}, sizeof(k_${id}) - 1)},\n")
endforeach()
file(WRITE ${OUTPUT}
     "#include \"${HEADER}\"\n\nnamespace ${NAMESPACE} {\n\n${arrays}\nstd::span<const ${TYPE}> ${FUNCTION}() {\n"
     "  static const ${TYPE} kFiles[] = {\n${entries}  };\n  return kFiles;\n}\n\n}  // namespace ${NAMESPACE}\n")
