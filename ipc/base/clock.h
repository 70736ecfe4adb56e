#ifndef EDS_CLOCK_H
#define EDS_CLOCK_H

#include <stdint.h>

#include "ipc/base/buf.h"

typedef int64_t mono_t;		/* milliseconds on a clock that never jumps */

mono_t	 mono_now(void);
int64_t	 wall_ms(void);		/* epoch milliseconds */
int64_t	 wall_ns(void);		/* epoch nanoseconds  */
uint64_t mono_us(void);		/* microseconds, for durations */

/* RFC 3339 in UTC with trailing zeros of the fraction removed (contract/encoding.md section 4). */
void	 buf_rfc3339(struct buf *, int64_t epoch_ns);

/* Reads it: fraction and zone (Z, +02:00) as RFC 3339 has them; nothing finer than a nanosecond counts. */
bool	 rfc3339_parse(struct slice, int64_t *epoch_ns_r) MUST_CHECK;
bool	 rfc3339_parse_ms(struct slice, int64_t *epoch_ms_r) MUST_CHECK;

/* "1h2m3s4ms", "90s", "1.5s", "2us"; false when it is none.  "0" is allowed. */
bool	 duration_parse(struct slice, int64_t *ms_r) MUST_CHECK;
void	 buf_duration(struct buf *, int64_t ms);	/* for people: "3d 4h", "2m 5s", "40ms" */

/* Uniform in [0, below); for jitter, not for secrets.  `below` 0 gives 0. */
uint64_t random_below(uint64_t below);

#endif
