//go:build e2e

package e2e_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// neighbourly is a plugin that calls out in every way plugins do, without asking WordPress: PHP's own sockets, SOAP, curl.
const neighbourly = `<?php
/** Plugin Name: Voisinage */
add_action('init', static function (): void {
    if (!isset($_GET['voisinage'])) {
        return;
    }
    $name = $_GET['voisinage'];
    $ca = WP_PLUGIN_DIR . '/standin-authority/ca.pem';
    $ways = [
        'fsockopen' => static function () use ($name, $ca) {
            $s = @fsockopen($name, 443, $code, $message, 8);
            if (!$s) {
                return $message;
            }
            stream_context_set_option($s, ['ssl' => ['cafile' => $ca, 'peer_name' => $name]]);
            stream_socket_enable_crypto($s, true, STREAM_CRYPTO_METHOD_TLS_CLIENT);
            fwrite($s, "GET /echo HTTP/1.0\r\nHost: $name\r\n\r\n");
            return stream_get_contents($s);
        },
        'curl' => static function () use ($name, $ca) {
            $c = curl_init("https://$name/echo");
            curl_setopt_array($c, [CURLOPT_RETURNTRANSFER => true, CURLOPT_CAINFO => $ca, CURLOPT_TIMEOUT => 8]);
            return curl_exec($c) ?: curl_error($c);
        },
        'soap' => static function () use ($name, $ca) {
            $context = stream_context_create(['ssl' => ['cafile' => $ca]]);
            $client = new SoapClient(null, ['location' => "https://$name/soap", 'uri' => 'urn:standin', 'connection_timeout' => 8, 'stream_context' => $context]);
            return $client->salut();
        },
        'wordpress' => static function () use ($name) {
            $answer = wp_remote_get("https://$name/echo", ['timeout' => 8]);
            return is_wp_error($answer) ? $answer->get_error_message() : wp_remote_retrieve_body($answer);
        },
    ];
    foreach ($ways as $way => $try) {
        $began = microtime(true);
        try {
            $said = (string) $try();
        } catch (Throwable $fault) {
            $said = $fault->getMessage();
        }
        $told[$way] = ['said' => $said, 'took' => microtime(true) - $began];
    }
    wp_send_json($told);
});
`

// Plugins that bring their own way of calling out reach what is allowed, and are told at once about what is not.
func TestAPluginReachesAllowedNamesByItsOwnMeansAndIsRefusedOthersAtOnce(t *testing.T) {
	i := open(t)
	org := catalogued(t)
	s := i.newSite(t)
	t.Cleanup(func() { i.gone(t, s.ID) })
	i.trusts(t, s, org)
	i.plugin(t, s, "voisinage", neighbourly, nil)
	type told map[string]struct {
		Said string
		Took float64 // seconds
	}
	call := func(name string) (ways told) {
		t.Helper()
		status, body := i.page(t, at(s.URL)+"/?voisinage="+name)
		if err := json.Unmarshal([]byte(body), &ways); err != nil || len(ways) != 4 {
			t.Fatalf("calling %s: %d %.300q (%v)", name, status, body, err)
		}
		return ways
	}
	answered := func(said string) bool { return strings.Contains(said, `"host":"`) || said == "bonjour" }
	for way, got := range call("api.wordpress.org") {
		if !answered(got.Said) {
			t.Errorf("%s to an allowed name: %.200q", way, got.Said)
		}
	}
	for way, got := range call("refused-" + random() + ".example.org") {
		if answered(got.Said) || got.Said == "" || got.Took > atOnce.Seconds() {
			t.Errorf("%s to a refused name: %.200q after %s", way, got.Said, time.Duration(got.Took*float64(time.Second)))
		}
	}
}
