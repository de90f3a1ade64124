// Package e2e tries the whole platform as its people would: a running instance, its real containers, a real browser. The
// tests carry the build tag e2e; deploy/test.sh brings the instance up and says where it is:
//
//	CHATIERE_TEST_CONFIG   configuration file of the instance
//	CHATIERE_TEST_SUMMARY  its summary.json, with the people who can sign in
//	CHATIERE_TEST_HOLD     directory of the failure points (see package failpoint)
//	CHATIERE_TEST_PERMIT   address and port that egress.permit opens, for a stand-in server
package e2e
