/* Zoowarden's C interface. Generated from ffi-c/src; do not edit. */

#ifndef ZOOWARDEN_H
#define ZOOWARDEN_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The version of this library as a NUL-terminated string with static lifetime: `"0.1.0"`.
const char *zoowarden_version(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* ZOOWARDEN_H */
