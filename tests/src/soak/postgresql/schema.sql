-- What the writers of a soak keep busy.

CREATE TABLE profiles (
    custom_id       text PRIMARY KEY,
    version         bigint NOT NULL,
    last_updated_at timestamptz NOT NULL
);
CREATE INDEX profiles_cursor ON profiles (last_updated_at, custom_id);

CREATE TABLE events (
    event_id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    custom_id       text NOT NULL,
    event_name      text NOT NULL DEFAULT 'happened',
    event_time      timestamptz NOT NULL DEFAULT now(),
    last_updated_at timestamptz NOT NULL
);
CREATE INDEX events_cursor ON events (last_updated_at, event_id);

-- Profiles that were there: they may have arrived.
CREATE TABLE deleted (custom_id text PRIMARY KEY);
