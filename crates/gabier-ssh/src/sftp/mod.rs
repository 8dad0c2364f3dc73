//! An SFTP client (draft-ietf-secsh-filexfer-02, version 3) over any duplex byte stream.
