// The operators whose custom resources the chart has: their schemas lie in these modules.
module wattoken/customresources

go 1.26.0

require (
	github.com/kedacore/keda/v2 v2.21.0
	github.com/prometheus-operator/prometheus-operator v0.85.0
)
