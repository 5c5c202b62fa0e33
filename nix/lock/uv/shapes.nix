# uv.lock as it stands in the file (src/lock/uv/wire.rs). Other keys are passed over: a new revision may add some.
rec {
  texts = {
    list = "string";
  };
  sourceFields = {
    registry = "string";
    git = "string";
    url = "string";
    path = "string";
    directory = "string";
    editable = "string";
    virtual = "string";
    subdirectory = "string";
  };
  source = {
    fields = sourceFields;
  };
  file = {
    fields = {
      url = "string";
      path = "string";
      hash = "string";
      size = "int";
    };
  };
  edge = {
    fields = {
      name = "string";
      version = "string";
      inherit source;
      extra = texts;
      marker = "string";
    };
    required = [ "name" ];
  };
  edges = {
    list = edge;
  };
  requirement = {
    fields = {
      name = "string";
      extras = texts;
      marker = "string";
    };
    required = [ "name" ];
  };
  requirements = {
    list = requirement;
  };
  package = {
    fields = {
      name = "string";
      version = "string";
      inherit source;
      resolution-markers = texts;
      sdist = file;
      wheels = {
        list = file;
      };
      dependencies = edges;
      optional-dependencies.values = edges;
      dev-dependencies.values = edges;
      dependency-groups.values = edges;
      metadata.fields = {
        provides-extras = texts;
        requires-dev.values = requirements;
        dependency-groups.values = requirements;
      };
    };
    required = [
      "name"
      "source"
    ];
  };
  lock = {
    fields = {
      requires-python = "string";
      supported-markers = texts;
      conflicts.list.list = {
        fields = {
          package = "string";
          extra = "string";
          group = "string";
        };
        required = [ "package" ];
      };
      manifest.fields = {
        members = texts;
        inherit requirements;
        dependency-groups.values = requirements;
      };
      package.list = package;
    };
  };
}
