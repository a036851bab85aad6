"""The table of topics, as the contract names them."""

from shared.contracts.topics import SERVICES, TOPICS, WEEK_MS, events_topic

TABLE = {topic.name: topic for topic in TOPICS}


def test_every_topic_of_the_contract_is_there_once():
    own = {f"{service}.{kind}" for service in SERVICES for kind in ("events", "commands", "dead-letters")}
    assert TABLE.keys() == {"pos.purchases", "crm.customers", "programme", "clock"} | own
    assert len(TABLE) == len(TOPICS)


def test_facts_are_kept_for_ever_and_personal_data_for_a_week():
    assert all(TABLE[events_topic(service)].retention_ms is None for service in SERVICES)
    week = {name for name, topic in TABLE.items() if topic.retention_ms == WEEK_MS}
    assert week == {"crm.customers"} | {f"{s}.{kind}" for s in SERVICES for kind in ("commands", "dead-letters")}


def test_only_the_programme_is_compacted_and_has_a_number_of_partitions_of_its_own():
    assert [t.name for t in TOPICS if t.compacted] == ["programme"]
    assert {t.name: t.partitions for t in TOPICS if t.partitions is not None} == {"programme": 1}


def test_a_service_alone_writes_its_topics():
    for service in SERVICES:
        written = {topic.name for topic in TOPICS if service in topic.writers}
        assert written == {f"{service}.{kind}" for kind in ("events", "commands", "dead-letters")}
    assert all(len(topic.writers) == 1 for topic in TOPICS)
