# What 'cmake --install' puts where: the program, the library with its one header, its description for CMake and
# pkg-config, the manual page, completions for three shells, licences.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(VKGPT_LINKED glslang::glslang glslang::SPIRV glslang::glslang-default-resource-limits)
# Found from where the file lies, so that --prefix may come late.
file(RELATIVE_PATH VKGPT_PREFIX_FROM_PC /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
configure_file(tools/install/vkgpt.pc.in ${CMAKE_CURRENT_BINARY_DIR}/vkgpt.pc @ONLY)
configure_package_config_file(tools/install/vkgptConfig.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/vkgptConfig.cmake
                              INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/vkgpt)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/vkgptConfigVersion.cmake COMPATIBILITY SameMinorVersion)

# Written by the program itself, from the fields of its commands.
set(manual ${CMAKE_CURRENT_BINARY_DIR}/vkgpt.1)
set(completions ${CMAKE_CURRENT_BINARY_DIR}/completions)
add_custom_command(
  OUTPUT ${manual} ${completions}/vkgpt ${completions}/_vkgpt ${completions}/vkgpt.fish
  COMMAND ${CMAKE_COMMAND} -E make_directory ${completions}
  COMMAND vkgpt man > ${manual}
  COMMAND vkgpt completions bash > ${completions}/vkgpt
  COMMAND vkgpt completions zsh > ${completions}/_vkgpt
  COMMAND vkgpt completions fish > ${completions}/vkgpt.fish
  DEPENDS vkgpt
  COMMENT "Writing the manual page and completions"
  VERBATIM)
add_custom_target(vkgpt_manual ALL DEPENDS ${manual})

install(TARGETS vkgpt RUNTIME)
if(TARGET vkgpt_mpi)
  install(TARGETS vkgpt_mpi LIBRARY DESTINATION lib/vkgpt)
endif()
install(TARGETS vkgpt_lib ARCHIVE)
install(FILES include/vkgpt/vkgpt.hpp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/vkgpt)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/vkgptConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/vkgptConfigVersion.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/vkgpt)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/vkgpt.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(FILES ${manual} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${completions}/vkgpt DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES ${completions}/_vkgpt DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
install(FILES ${completions}/vkgpt.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
install(FILES LICENSE assets/licences.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
