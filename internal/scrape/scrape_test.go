package scrape

import "testing"

func TestOptions(t *testing.T) {
	if open := Options(":8080", false, ""); open.SecureServing || open.FilterProvider != nil {
		t.Errorf("in the clear: %+v", open)
	}
	// TLS without the question who asks would be no protection.
	if secure := Options(":8080", true, "/certs"); !secure.SecureServing || secure.FilterProvider == nil || secure.CertDir != "/certs" {
		t.Errorf("secure: %+v", secure)
	}
}
