"""Policy: revisions written, published and never changed; deciding is `gateway.engine`."""
