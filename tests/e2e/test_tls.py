"""The stream over TLS: certificates are checked, load goes through, and the end is clean."""


def conf(lab, ca):
    server = f"[server]\nnats_ca_file = {ca}\n" if ca else ""
    return f"{server}[destination files]\nurl = {lab.file_url()}\n[destination nul]\nurl = null://\n"


def test_events_come_over_tls(make_lab):
    lab = make_lab(tls=True, storage="file")
    lab.enroll()
    lab.start_eds(conf(lab, lab.nats.ca_path))
    for _ in range(5):
        lab.publish(1500)
    lab.wait_delivered()
    lab.nats.restart("kill")
    lab.publish(500)
    lab.wait_delivered()
    assert lab.differences(sqlite=None) == []
    assert lab.stop_eds() == 0


def test_a_certificate_of_nobody_we_know_is_refused_by_name(make_lab):
    lab = make_lab(tls=True)
    lab.enroll()
    lab.start_eds(conf(lab, None), wait=False)
    lab.wait_log(r"error creating nats connection: .*certificate")
    status = lab.status()
    assert status["degraded"] and status["upstream"]["state"] in ("connecting", "waiting")
    assert status["upstream"]["received"] == 0
    assert lab.stop_eds() == 0
