/*
 * Marks memory as off limits for AddressSanitizer, so that our own allocator
 * is checked like malloc; nothing in other builds.
 */
#ifndef WN_CORE_ASAN_H
#define WN_CORE_ASAN_H

#if defined(__SANITIZE_ADDRESS__)
#define WN_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WN_ASAN 1
#endif
#endif

#ifdef WN_ASAN
#include <sanitizer/asan_interface.h>
#define WN_POISON(p, len) __asan_poison_memory_region((p), (len))
#define WN_UNPOISON(p, len) __asan_unpoison_memory_region((p), (len))
#define WN_RED_ZONE 16 /* off-limits bytes between two allocations */
#else
#define WN_POISON(p, len) ((void)(p), (void)(len))
#define WN_UNPOISON(p, len) ((void)(p), (void)(len))
#define WN_RED_ZONE 0
#endif

#endif
