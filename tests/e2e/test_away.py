"""A destination that is taken out of the configuration and comes back gets what passed meanwhile."""


def test_a_destination_that_was_away_is_given_what_it_missed(enrolled):
    lab = enrolled
    both = {"files": lab.file_url(), "shop": lab.sqlite_url()}
    lab.start_eds(both)
    lab.publish(200)
    lab.wait_delivered()
    # over a restart
    assert lab.stop_eds() == 0
    lab.start_eds({"files": lab.file_url()})
    lab.publish(200)
    lab.wait_delivered()
    assert lab.stop_eds() == 0
    lab.start_eds(both)
    lab.publish(100)
    lab.wait_delivered()
    assert lab.differences() == []
    # and over a reload
    lab.write_conf({"files": lab.file_url()})
    assert lab.edsctl("reload").returncode == 0
    lab.wait_until(lambda: [d["name"] for d in lab.status()["destinations"]] == ["files"], "shop to be gone")
    lab.publish(200)
    lab.wait_delivered()
    lab.write_conf(both)
    assert lab.edsctl("reload").returncode == 0
    lab.wait_until(lambda: lab.destination("shop")["cursor"] >= lab.js.last_seq(), "shop to have caught up")
    assert lab.differences() == []
    assert lab.destination("files")["committed"] == 300, "nobody else gets anything twice"
