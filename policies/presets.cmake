# Turns presets/*.ini into presets.c: each file's bytes as one array.
set(PRESETS development staging production)
set(preset_arrays "")
set(preset_rows "")
foreach(name ${PRESETS})
  set(file ${CMAKE_CURRENT_SOURCE_DIR}/presets/${name}.ini)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  file(READ ${file} bytes HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
  string(APPEND preset_arrays "static const char ${name}[] = { ${bytes} 0 };\n")
  string(APPEND preset_rows "\t{ \"${name}\", ${name} },\n")
endforeach()
file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/presets.c @ONLY CONTENT
"#include \"policies/presets/presets.h\"

#include <stddef.h>

@preset_arrays@
const struct preset_text preset_texts[] = {
@preset_rows@	{ NULL, NULL },
};
")
