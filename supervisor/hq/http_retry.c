/*
 * When a call is tried again.  The reference tries for ever, with pauses that grow
 * without end; here
 *  - a connection that is refused or reset: for 30 s, as there;
 *  - 408, 429, 502, 503, 504: for 5 minutes.  The pause grows by up to half a
 *    second with each attempt, honours Retry-After, and is never longer than 30 s;
 *  - everything else is answered at once.
 * Whoever must not give up (the session, the schemas) begins anew at longer intervals.
 */

#include <errno.h>

#include "supervisor/hq/http_private.h"

#define REFUSED_MS	30000
#define BUSY_MS		300000
#define PAUSE_MS	30000

static bool
is_busy(long status)
{
	return status == 408 || status == 429 || status == 502 || status == 503 || status == 504;
}

static bool
is_refused(const struct http_call *call, CURLcode rc)
{
	long	 sys = 0;

	if (rc != CURLE_COULDNT_CONNECT && rc != CURLE_RECV_ERROR && rc != CURLE_SEND_ERROR)
		return false;
	(void)curl_easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &sys);
	return sys == ECONNREFUSED || sys == ECONNRESET;
}

int64_t
http_retry_pause(const struct http_call *call, CURLcode rc, long status)
{
	int64_t	 since = mono_now() - call->first_at, pause;

	if (!call->retry)
		return -1;
	pause = 100 + (int64_t)random_below(500 * (uint64_t)call->attempts + 1);
	if (rc != CURLE_OK)
		return is_refused(call, rc) && since < REFUSED_MS ? pause : -1;
	if (!is_busy(status) || since >= BUSY_MS)
		return -1;
	if (pause < call->retry_after_ms)
		pause = call->retry_after_ms;
	return pause < PAUSE_MS ? pause : PAUSE_MS;
}
