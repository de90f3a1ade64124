package openapi

// Document is an OpenAPI 3.1 description; field names are those of the specification.
type Document struct {
	OpenAPI    string                           `json:"openapi"`
	Info       Info                             `json:"info"`
	Servers    []Server                         `json:"servers"`
	Security   []map[string][]string            `json:"security"`
	Paths      map[string]map[string]*Operation `json:"paths"` // by path, then by method
	Components Components                       `json:"components"`
}

// Info says whose document it is.
type Info struct {
	Title       string  `json:"title"`
	Description string  `json:"description"`
	Version     string  `json:"version"`
	License     License `json:"license"`
}

// License is the code's.
type License struct {
	Name       string `json:"name"`
	Identifier string `json:"identifier"` // SPDX
}

// Server is where the paths begin.
type Server struct {
	URL string `json:"url"`
}

// Components holds what is referred to.
type Components struct {
	Schemas         map[string]*Schema        `json:"schemas"`
	SecuritySchemes map[string]SecurityScheme `json:"securitySchemes"`
}

// SecurityScheme is one way to say who asks.
type SecurityScheme struct {
	Type        string `json:"type"`
	Scheme      string `json:"scheme,omitempty"`
	In          string `json:"in,omitempty"`
	Name        string `json:"name,omitempty"`
	Description string `json:"description"`
}

// Operation is one method of a path.
type Operation struct {
	OperationID string                 `json:"operationId"`
	Summary     string                 `json:"summary"`
	Security    *[]map[string][]string `json:"security,omitempty"` // an empty list: none is needed
	Parameters  []Param                `json:"parameters,omitempty"`
	RequestBody *RequestBody           `json:"requestBody,omitempty"`
	Responses   map[string]Response    `json:"responses"` // by status
}

// Param is one value outside the body.
type Param struct {
	Name        string `json:"name"`
	In          string `json:"in"` // path, query, header
	Description string `json:"description,omitempty"`
	Required    bool   `json:"required,omitempty"`
	Schema      Schema `json:"schema"`
}

// RequestBody is what is sent.
type RequestBody struct {
	Required bool             `json:"required"`
	Content  map[string]Media `json:"content"` // by media type
}

// Response is what comes back.
type Response struct {
	Description string           `json:"description"`
	Content     map[string]Media `json:"content,omitempty"` // by media type
}

// Media is a body of one type.
type Media struct {
	Schema *Schema `json:"schema"`
}
