-- What zipkind needs beside any layout. Statements end with a semicolon at the end of a line.

-- How far a source has been stored.
CREATE TABLE IF NOT EXISTS zipkind_source_position (
  consumer_group        VARCHAR(255) NOT NULL,
  topic                 VARCHAR(255) NOT NULL,
  `partition`           INT          NOT NULL,
  batch_from            BIGINT       NOT NULL, -- offsets of the last batch: its first, and the one after its last
  `next`                BIGINT       NOT NULL,
  last_message_ms       BIGINT       NOT NULL,
  last_message_checksum BIGINT       NOT NULL, -- 64 bits as a signed number
  PRIMARY KEY (consumer_group, topic, `partition`)
) ENGINE=InnoDB CHARACTER SET=utf8mb4 COLLATE utf8mb4_bin;

-- Work that one process does for all: who does it, and until when nobody else may.
CREATE TABLE IF NOT EXISTS zipkind_lease (
  name       VARCHAR(64) NOT NULL PRIMARY KEY,
  holder     VARCHAR(64) NOT NULL,
  expires_ms BIGINT      NOT NULL -- by the database's clock
) ENGINE=InnoDB CHARACTER SET=utf8mb4 COLLATE utf8mb4_bin;
