/* The heartbeat to HQ: at once when the session's connection stands, then every minute, also when paused. */

#include <stdio.h>

#include "ipc/base/hash.h"
#include "supervisor/supervisor_private.h"

#define BEAT_EVERY_S	60.0

static void
beat(struct supervisor *s)
{
	struct heartbeat	 h = { 0 };
	struct buf		 payload = { 0 };
	char			 subject[200], id_text[64], id[17];

	if (s->upstream == NULL || s->sid == NULL || s->sid[0] == '\0' || !upstream_connected(s->upstream))
		return;
	h.session_id = s->sid;
	h.offset = s->heart_offset;
	h.uptime_s = (wall_ms() - s->consumer_since_ms) / 1000;
	h.flush_count = h.flush_duration = metrics_value(s->metrics, METRIC_FLUSH_COUNT);
	h.processing_duration = metrics_value(s->metrics, METRIC_PROCESSING_DURATION);
	h.pending_events = 0;
	h.total_events = (double)upstream_stats(s->upstream)->received;
	h.paused_ns = s->paused_ns;
	heartbeat_read_machine(&h);
	heartbeat_encode(&h, &payload);
	(void)snprintf(subject, sizeof(subject), "eds.client.%s.heartbeat", s->sid);
	(void)snprintf(id_text, sizeof(id_text), "%lld%lld", (long long)wall_ns(), (long long)h.offset + 1);
	hash_hex(slice_of(id_text), id);
	if (!payload.oom && upstream_publish(s->upstream, subject, id, buf_slice(&payload)))
		s->heart_offset++;
	buf_free(&payload);
}

static void
on_beat(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	beat(w->data);
}

void
heart_beat_now(struct supervisor *s)
{
	if (s->sid != NULL && strcmp(s->heart_sid, s->sid) != 0) {
		(void)snprintf(s->heart_sid, sizeof(s->heart_sid), "%s", s->sid);
		s->heart_offset = 0;
		s->consumer_since_ms = wall_ms();
	}
	beat(s);
	s->heart.repeat = BEAT_EVERY_S;
	ev_timer_again(s->loop, &s->heart);
}

void
heart_init(struct supervisor *s)
{
	ev_init(&s->heart, on_beat);
	s->heart.data = s;
}

void
heart_stop(struct supervisor *s)
{
	ev_timer_stop(s->loop, &s->heart);
}
