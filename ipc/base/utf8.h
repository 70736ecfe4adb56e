#ifndef EDS_UTF8_H
#define EDS_UTF8_H

#include <stddef.h>
#include <stdint.h>

/*
 * The number of bytes of the well-formed sequence at p (1 to 4), of which `left`
 * bytes may be read; 0 when there is none.  Overlong forms, surrogates and
 * values above U+10FFFF are not well-formed.
 */
static inline size_t
utf8_length(const unsigned char *p, size_t left)
{
	if (left == 0)
		return 0;
	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4 || left < 2 || (p[1] & 0xc0) != 0x80)
		return 0;
	if (p[0] < 0xe0)
		return 2;
	if (left < 3 || (p[2] & 0xc0) != 0x80)
		return 0;
	if (p[0] < 0xf0)	/* E0: overlong below A0; ED: surrogates from A0 */
		return (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0) ? 0 : 3;
	if (left < 4 || (p[3] & 0xc0) != 0x80)
		return 0;
	return (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] >= 0x90) ? 0 : 4;
}

/* Writes the code point, at most 0x10ffff, as 1 to 4 bytes; returns how many. */
static inline size_t
utf8_put(uint32_t cp, char out_r[4])
{
	if (cp < 0x80) {
		out_r[0] = (char)cp;
		return 1;
	}
	if (cp < 0x800) {
		out_r[0] = (char)(0xc0 | cp >> 6);
		out_r[1] = (char)(0x80 | (cp & 0x3f));
		return 2;
	}
	if (cp < 0x10000) {
		out_r[0] = (char)(0xe0 | cp >> 12);
		out_r[1] = (char)(0x80 | (cp >> 6 & 0x3f));
		out_r[2] = (char)(0x80 | (cp & 0x3f));
		return 3;
	}
	out_r[0] = (char)(0xf0 | cp >> 18);
	out_r[1] = (char)(0x80 | (cp >> 12 & 0x3f));
	out_r[2] = (char)(0x80 | (cp >> 6 & 0x3f));
	out_r[3] = (char)(0x80 | (cp & 0x3f));
	return 4;
}

#endif
