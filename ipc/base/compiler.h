#ifndef EDS_COMPILER_H
#define EDS_COMPILER_H

/* Results that must be looked at, printf-like arguments, functions that end the process. */
#define MUST_CHECK		__attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a)	__attribute__((format(printf, f, a)))
#define NO_RETURN		__attribute__((noreturn))
#define UNUSED			__attribute__((unused))

#define NELEM(a)		(sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(p, type, member) \
	((type *)(void *)((char *)(p) - offsetof(type, member)))

#endif
