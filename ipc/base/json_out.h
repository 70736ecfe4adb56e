#ifndef EDS_JSON_OUT_H
#define EDS_JSON_OUT_H

#include "ipc/base/buf.h"

/* JSON text by the rules of contract/encoding.md section 1 (the escapes Go's writer uses). */

void	 json_out_str(struct buf *, struct slice);	/* quoted and escaped; invalid UTF-8 bytes become \ufffd */
void	 json_out_double(struct buf *, double);		/* shortest text that round-trips; null for NaN and Inf   */

/* As Go's %v prints a double: an exponent of two digits when it is below -4 or above 5. */
void	 json_out_double_g(struct buf *, double);

/*
 * A raw JSON text with insignificant white space removed and < > & U+2028 U+2029
 * escaped, everything else kept (section 1.1).  The text must be valid JSON.
 */
void	 json_out_compact(struct buf *, struct slice raw);

#endif
