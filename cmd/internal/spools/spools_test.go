package spools

import (
	"reflect"
	"testing"
	"time"

	"chatiere/reverseproxy/traffic"
	"chatiere/tenants/mysql"
)

func TestTrafficIsCountedByClassOfStatus(t *testing.T) {
	at := time.Date(2026, 11, 22, 23, 59, 57, 0, time.UTC)
	got := trafficRows([]traffic.Record{
		{
			From: at, To: at.Add(3 * time.Second), Site: "s1", Requests: 15, BytesIn: 7, BytesOut: 9,
			Status: map[string]uint64{"1xx": 1, "2xx": 2, "3xx": 3, "4xx": 4, "5xx": 5}, Codes: map[string]uint64{"404": 4},
		},
		{From: at, Site: "s2", Requests: 1, Status: map[string]uint64{"2xx": 1}},
	})
	want := []mysql.TrafficRow{
		{SiteID: "s1", At: at, Requests: 15, BytesIn: 7, BytesOut: 9, Status: [6]int64{0, 1, 2, 3, 4, 5}},
		{SiteID: "s2", At: at, Requests: 1, Status: [6]int64{0, 0, 1}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}
